"""The page: the only code, with app.py, that imports gradio."""
