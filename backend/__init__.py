"""What MedTune does, in plain Python: no gradio here, and no torch in this process."""
