"""What processes say to one another and share: messages, sockets, the arena.

Knows no image library, no HTTP and no policy.
"""
