"""A real OPC UA server of asyncua for tests: ``python server.py PORT FOLDER``, told what to do on stdin.

set NAME VALUE [STATUS]   write a value (of the press's node NAME) with the time now
add MACHINE               another machine below Hall
burst COUNT               write Temperature COUNT times, 5 ms apart
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from asyncua import Server, ua
from asyncua.server.history import HistoryDict

URI = "http://acme.example/plant"


async def machine(hall: ua.NodeId, index: int, name: str) -> dict[str, object]:
    press = await hall.add_object(index, name)
    made = {}
    for sensor, value in (("Temperature", 60.0), ("Speed", 1480), ("Running", True), ("Recipe", "A")):
        made[sensor] = await press.add_variable(index, sensor, value)
    motor = await press.add_object(index, "Motor")
    made["Motor/Current"] = await motor.add_variable(index, "Current", 7.5)
    await press.add_property(index, "SerialNumber", 12345)
    return made


async def main(port: int, folder: Path) -> None:
    server = Server()
    server.iserver.history_manager.set_storage(HistoryDict())
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    if (folder / "server.der").is_file():
        await server.load_certificate(str(folder / "server.der"))
        await server.load_private_key(str(folder / "server.pem"))
        server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    else:
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    await server.register_namespace("http://other.example/")
    index = await server.register_namespace(URI)
    hall = await server.nodes.objects.add_object(index, "Hall")
    nodes = await machine(hall, index, "Press-07")
    async with server:
        await server.historize_node_data_change(nodes["Temperature"], timedelta(days=1), 10_000)
        print("ready", flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            verb, *words = line.split()
            if verb == "set":
                status = (
                    ua.StatusCode(getattr(ua.StatusCodes, words[2])) if len(words) > 2 else ua.StatusCode()
                )
                now = datetime.now(UTC)
                value = ua.DataValue(ua.Variant(float(words[1])), status, now, now)
                await nodes[words[0]].write_value(value)
                await asyncio.sleep(0.005)  # the next one in another millisecond
            elif verb == "add":
                await machine(hall, index, words[0])
            elif verb == "burst":
                for number in range(int(words[0])):
                    await nodes["Temperature"].write_value(float(number))
                    await asyncio.sleep(0.005)
            print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
