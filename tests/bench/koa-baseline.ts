/** The baseline of `http`: the same statement in a bare Koa handler with `pg`; no validation, no telemetry, no sandbox. */
import type { AddressInfo } from 'node:net';
import Koa from 'koa';
import pg from 'pg';

export interface BaselineSetup {
  readonly url: string;
  readonly poolMax: number;
  readonly statement: { readonly name: string; readonly text: string };
}

process.once('message', ({ url, poolMax, statement }: BaselineSetup) => {
  const pool = new pg.Pool({ connectionString: url, max: poolMax });
  const app = new Koa();
  app.use(async (ctx) => {
    const values = [ctx.path.split('/')[2]];
    const { rows } = await pool.query({ ...statement, values });
    ctx.body = rows[0];
  });
  const server = app.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
});
