"""What browsers are told about every answer: what the page may load, and who may show it."""

from __future__ import annotations

POLICY = "; ".join(
    (
        "default-src 'none'",
        # Gradio makes functions of its events' scripts ('unsafe-eval'); a script in the page itself
        # runs only with the nonce of this answer, so what a data file smuggles in does not.
        "script-src 'self' 'nonce-{nonce}' 'unsafe-eval'",
        # Gradio and Plotly set styles by attributes and elements; a nonce would leave them out.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' blob:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""Content-Security-Policy of the page."""

LOGIN_POLICY = (
    "default-src 'none'; style-src 'nonce-{nonce}'; img-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)

PARTS_POLICY = "default-src 'self'; object-src 'none'; frame-ancestors 'none'"
"""Of Gradio's own scripts and pictures."""

FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
"""Of whatever else is opened as a page of its own: it can't do anything."""

ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not "no-referrer": browsers then say Origin: null in a form, as a page from anywhere could.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
