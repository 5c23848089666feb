"""The actions of the page for programs: endpoints of ``gradio_client``, and the tools of ``--mcp``.

Each is one typed function over what the page itself asks of the backend; ``docs/api.md`` lists
them. ``endpoint`` checks arguments by their annotations, ``offering`` gives the endpoints to
Gradio, ``tools`` to MCP. What they answer is JSON: nothing of it is HTML.
"""
