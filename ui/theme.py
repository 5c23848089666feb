"""The look: one accent, system fonts, light and dark from Gradio's own variables."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from backend.text import ASSETS

# System fonts only: nothing is fetched, and Chinese gets a face made for it on every platform.
_SANS = (
    "Inter",
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "PingFang SC",
    "Microsoft YaHei",
    "Noto Sans CJK SC",
    "sans-serif",
)
_MONO = ("ui-monospace", "SFMono-Regular", "Consolas", "Noto Sans Mono CJK SC", "monospace")

_EDGE, _EDGE_DARK = "#7c8ba1", "#8a99af"


def theme() -> gr.themes.Base:
    """Gradio's base theme in MedTune's palette."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        text_size=gr.themes.sizes.text_md,
        font=[gr.themes.Font(name) for name in _SANS],
        font_mono=[gr.themes.Font(name) for name in _MONO],
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        # Gradio's own slate-400 reaches 2.5:1 on this ground; slate-500 reaches 4.6:1.
        body_text_color_subdued="*neutral_500",
        block_info_text_color="*neutral_500",
        block_info_text_color_dark="*neutral_400",
        block_border_width="1px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_label_text_color="*body_text_color_subdued",
        block_title_text_weight="600",
        # White on teal-600 is 3.7:1; teal-700 reaches the 4.5:1 that WCAG AA asks of text.
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="white",
        input_border_width="1px",
        # Where a box begins: WCAG asks 3:1 of it, against the page and against what is in it.
        input_border_color=_EDGE,
        input_border_color_dark=_EDGE_DARK,
        checkbox_border_color=_EDGE,
        checkbox_border_color_dark=_EDGE_DARK,
        input_border_color_focus="*primary_700",
        input_border_color_focus_dark="*primary_300",
        input_shadow_focus="0 0 0 1px *primary_700",
        input_shadow_focus_dark="0 0 0 1px *primary_300",
        # What a box says until something is typed is read as well: 4.5:1 on its ground.
        input_placeholder_color="*neutral_600",
        input_placeholder_color_dark="*neutral_300",
    )


def stylesheets() -> list[Path]:
    """MedTune's own style sheets, in the order in which they apply."""
    return sorted((ASSETS / "css").glob("*.css"))
