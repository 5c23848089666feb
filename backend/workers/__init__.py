"""Programs started as processes of their own: the only code that imports torch or LLaMA-Factory.

Nothing imports this package; each module is started as ``python -m backend.workers.<name>`` from
the repository's root and speaks through files or loopback HTTP.
"""
