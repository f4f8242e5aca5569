"""What a run has come to, as a page that can be handed in: `make report`."""
