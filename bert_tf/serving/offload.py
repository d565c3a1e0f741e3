"""Large pieces of plain Python work in a thread, so that the event loop goes on answering others."""

import asyncio

_LARGE = 1 << 15  # bytes or values; below, a thread costs more than it saves


async def offload(size, function, *arguments):
    """`function(*arguments)`, in a thread if `size` is large."""
    if size < _LARGE:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)
