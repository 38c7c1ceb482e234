"""FastAPI on uvicorn (uvloop, httptools), redis.asyncio, aio-pika with publisher confirms."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import redis.asyncio
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from tests.benchmarks.peers import work

board: Any = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"], max_connections=64)
update_script = board.register_script(work.SCRIPT)
broker: dict[str, Any] = {}


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """One connection, one confirming channel."""
    context = ssl.create_default_context(cafile=os.environ["AMQP_CA_FILE"])
    connection = await aio_pika.connect_robust(os.environ["AMQP_URL"], ssl_context=context)
    async with connection:
        broker["channel"] = await connection.channel(publisher_confirms=True)
        yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(work.Refused)
async def refuse(_: Request, error: work.Refused) -> JSONResponse:
    """As a problem document."""
    return JSONResponse({"status": error.status}, error.status)


@app.post("/api/score/{user_id}")
async def update(user_id: str, request: Request) -> JSONResponse:
    """Raise the caller's score."""
    if work.caller(request.headers.get("authorization", "")) != user_id:
        raise work.Refused(403)
    increment = work.increment_of(await request.json())
    source_ip = request.client.host if request.client else ""
    keys, arguments = work.script_arguments(user_id, increment, source_ip)
    result = await update_script(keys=keys, args=arguments)
    document, headers = work.answer_of(result, user_id, increment)
    message = aio_pika.Message(
        work.message_of(result, user_id, increment, source_ip),
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
    await broker["channel"].default_exchange.publish(message, work.QUEUE, mandatory=True)
    await board.xdel(keys[5], result[6])
    return JSONResponse(document, headers=headers)


@app.get("/healthz")
async def alive() -> dict[str, str]:
    """Alive."""
    return {"status": "ok"}
