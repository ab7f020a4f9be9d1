/**
 * What somebody would write by hand: MQTT.js, one `unnest` insert a batch, PUBACKs after its commit. Runs in a process of
 * its own: `baseline.ts <broker url> <Postgres' folder> <password>`.
 */
import mqtt, { type IPublishPacket, type Packet } from 'mqtt';
import * as pg from 'pg';

interface Fix {
  readonly lat: number;
  readonly lon: number;
  readonly recordedAt: string;
  readonly accuracyM: number;
  readonly speedMps: number;
  readonly headingDeg: number;
}

interface Waiting {
  readonly driverId: string;
  readonly fix: Fix;
}

type SendPacket = (packet: Packet, done?: () => void) => void;

const batchMax = 500;
const batchWaitMs = 20;

const [brokerUrl = '', host = '', password = ''] = process.argv.slice(2);
const database = new pg.Client({ host, port: 5432, user: 'returnit', password, database: 'returnit' });
await database.connect();
await database.query(`create schema if not exists bench;
  create table if not exists bench.pings (driver_id text, device text, recorded_at timestamptz(3), lat float8, lon float8,
    accuracy_m real, speed_mps real, heading_deg real, primary key (driver_id, device, recorded_at, lat, lon))`);

const client = mqtt.connect(brokerUrl, {
  protocolVersion: 5,
  clean: false,
  clientId: 'bench-baseline',
  properties: { receiveMaximum: 5000, sessionExpiryInterval: 3600 },
});
// MQTT.js acknowledges one message before it reads the next: the acknowledgements are kept until the batch is committed.
const internals = client as unknown as { _sendPacket: SendPacket };
const sendPacket = internals._sendPacket.bind(client);
let acknowledgements: Packet[] = [];
internals._sendPacket = (packet, done) => {
  if (packet.cmd !== 'puback') return sendPacket(packet, done);
  acknowledgements.push(packet);
  done?.();
};

let waiting: Waiting[] = [];
let running = false;
let timer: NodeJS.Timeout | undefined;

client.on('message', (topic: string, payload: Buffer, _packet: IPublishPacket) => {
  waiting.push({ driverId: topic.split('/')[1] ?? '', fix: JSON.parse(payload.toString()) as Fix });
  // The library writes the acknowledgement after this event.
  if (waiting.length >= batchMax) setImmediate(run);
  else timer ??= setTimeout(run, batchWaitMs);
});

function run(): void {
  if (running || waiting.length === 0) return;
  running = true;
  clearTimeout(timer);
  timer = undefined;
  const batch = waiting.slice(0, batchMax);
  const ready = acknowledgements.slice(0, batch.length);
  waiting = waiting.slice(batch.length);
  acknowledgements = acknowledgements.slice(batch.length);
  void storeAndAcknowledge(batch, ready);
}

async function storeAndAcknowledge(batch: readonly Waiting[], ready: readonly Packet[]): Promise<void> {
  await store(batch);
  for (const packet of ready) sendPacket(packet);
  running = false;
  if (waiting.length >= batchMax) run();
  else if (waiting.length > 0) timer ??= setTimeout(run, batchWaitMs);
}

async function store(batch: readonly Waiting[]): Promise<void> {
  await database.query({
    name: 'insert',
    text: `insert into bench.pings select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::float8[], $5::float8[],
      $6::real[], $7::real[], $8::real[]) on conflict do nothing`,
    values: [
      batch.map(({ driverId }) => driverId),
      batch.map(() => 'phone'),
      batch.map(({ fix }) => fix.recordedAt),
      batch.map(({ fix }) => fix.lat),
      batch.map(({ fix }) => fix.lon),
      batch.map(({ fix }) => fix.accuracyM),
      batch.map(({ fix }) => fix.speedMps),
      batch.map(({ fix }) => fix.headingDeg),
    ],
  });
}

await client.subscribeAsync('drivers/+/location', { qos: 1 });
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
