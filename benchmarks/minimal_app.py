"""The smallest Gradio app with tabs: what any Gradio page pays to start. Argument: the port."""

from __future__ import annotations

import sys

import gradio as gr

with gr.Blocks(analytics_enabled=False) as page:
    for name in ("One", "Two"):
        with gr.Tab(name):
            gr.Textbox()

if __name__ == "__main__":
    page.launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), quiet=True, ssr_mode=False)
