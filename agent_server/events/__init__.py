"""Event streaming, version 2: what a run says, as the events of the official streaming protocol."""
