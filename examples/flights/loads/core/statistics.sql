analyze core.flight
