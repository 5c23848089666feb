"""Models and datasets from the hubs: what there is, what is fetched, and how far it is."""
