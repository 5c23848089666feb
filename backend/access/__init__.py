"""Who reaches the page, and with what: everything between the network and Gradio.

Plain ASGI; knows nothing about Gradio but the paths that it serves (``routes.py``).
"""
