"""Simulations: what other dynos, slots, routing or timeouts would do with the same requests."""
