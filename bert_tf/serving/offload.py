"""Runs long Python work in a thread, so that the event loop keeps answering other requests."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

_LARGE = 1 << 15  # bytes or values; below, a thread costs more than it saves

Result = TypeVar("Result")


async def offload(size: int, function: Callable[..., Result], *arguments: Any) -> Result:
    """`function(*arguments)`, in a thread if `size` (bytes or values) is large."""
    if size < _LARGE:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)
