"""Where objects stand: on a plane, as discs, floating, settled by physics."""
