"""Pages, charts and shares with their intervals: what `calibration` and `report` have in common."""
