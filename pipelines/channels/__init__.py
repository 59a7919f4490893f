"""How a message leaves: one module a channel, each with `send`.

A channel gets the bytes that stand in the outbox and hands them over, or raises DeliveryError.
There is no registry: the outbox row names the module.
"""
