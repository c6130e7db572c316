"""A simulated newsroom: outlets on loopback that publish, edit, delete, limit, redirect, break and recover.

`world` says what stands where at what time (pure), `server` serves it, `clock` runs a week in minutes.
Nothing of the live flow imports this package; `rasd newsroom` and the tests do.
"""
