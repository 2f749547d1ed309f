// Serves the schema `workshop` of the database in DATABASE_URL as GraphQL on a free loopback port.
// Prints one JSON line, {"graphql": url}, when it accepts requests; SIGTERM or SIGINT ends it.

import "./environment.mjs";
import { createServer } from "node:http";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const connectionString = process.env.DATABASE_URL;
if (!connectionString) {
  console.error("DATABASE_URL is not set. Set it to the PostgreSQL database that holds the schema workshop.");
  process.exit(2);
}

const instance = postgraphile({
  extends: [PostGraphileAmberPreset],
  pgServices: [makePgService({ connectionString, schemas: ["workshop"] })],
  grafserv: { graphqlPath: "/graphql", graphiql: false, watch: false },
  grafast: { explain: false },
});
const server = createServer();
server.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
await instance.createServ(grafserv).addTo(server);
await instance.getSchemaResult();
server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ graphql: `http://127.0.0.1:${server.address().port}/graphql` }));
});

async function stop() {
  server.close();
  server.closeAllConnections();
  await instance.release();
  process.exit(0);
}
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
