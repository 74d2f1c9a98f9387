analyze table core.flight
