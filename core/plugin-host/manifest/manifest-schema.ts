/** The form of `plugin.json`. plugin.schema.json beside it is generated from here, for editors. */
import { Type, type Static, type TArray, type TInteger, type TSchema, type TString } from 'typebox';
import { permissionNames, refusedPermissions } from '../permissions/permission-names.ts';
import { expectedForm, resourceCharactersMax } from '../permissions/permission-syntax.ts';

const closed = { additionalProperties: false } as const;

const resources = (description: string): TArray<TString> =>
  Type.Array(Type.String({ minLength: 1, maxLength: resourceCharactersMax }), {
    description,
    maxItems: 200,
    uniqueItems: true,
  });

const Why = Type.String({
  minLength: 3,
  maxLength: 300,
  description: 'Why the plugin needs it: the operator reads it before granting',
});

const Optional = Type.Boolean({
  description: 'The plugin works without: what is not granted does not stop the start, and nobody is asked',
});

const refused = (reason: string): TSchema => Type.Unsafe<never>({ not: {}, description: reason });

const PermissionsSchema = Type.Object(
  {
    http: Type.Optional(
      Type.Object(
        {
          routes: Type.Optional(resources('Route prefixes: "/orders" is /orders and all below it')),
          public: Type.Optional(resources('Routes that need no token: "GET /orders/{orderId}/track"')),
          why: Why,
        },
        closed,
      ),
    ),
    db: Type.Optional(
      Type.Object(
        {
          read: Type.Optional(
            resources('Other plugins\' published views: "tracking.driver_position". The own schema needs no request'),
          ),
          publish: Type.Optional(resources('Own views that others may be granted to read: "driver_position"')),
          why: Why,
        },
        closed,
      ),
    ),
    jobs: Type.Optional(
      Type.Object({ queues: resources(`Queues: ${expectedForm('jobs')}`), why: Type.Optional(Why) }, closed),
    ),
    events: Type.Optional(
      Type.Object(
        {
          publish: Type.Optional(resources('Events: "order.created" or "order.*"')),
          subscribe: Type.Optional(resources('Events: "order.created" or "order.*"')),
          why: Type.Optional(Why),
        },
        closed,
      ),
    ),
    mqtt: Type.Optional(
      Type.Object(
        {
          subscribe: Type.Optional(resources('Topic filters: "drivers/+/location"')),
          publish: Type.Optional(resources('Topic filters: "drivers/+/commands"')),
          issue: Type.Optional(resources('Topic filters that device credentials may be issued for')),
          why: Type.Optional(Why),
        },
        closed,
      ),
    ),
    live: Type.Optional(
      Type.Object({ channels: resources(`Channels: ${expectedForm('live')}`), why: Type.Optional(Why) }, closed),
    ),
    net: Type.Optional(
      Type.Object({ hosts: resources(expectedForm('net')), why: Why, optional: Type.Optional(Optional) }, closed),
    ),
    mail: Type.Optional(
      Type.Object({ domains: resources(`Whom mail may be sent to: ${expectedForm('mail')}`), why: Why }, closed),
    ),
    env: Type.Optional(Type.Object({ names: resources(expectedForm('env')), why: Why }, closed)),
    read: Type.Optional(
      Type.Object({ paths: resources('Files or folders outside the own folder, read with node:fs'), why: Why }, closed),
    ),
    write: Type.Optional(refused(refusedPermissions.write)),
    run: Type.Optional(refused(refusedPermissions.run)),
    ffi: Type.Optional(refused(refusedPermissions.ffi)),
    import: Type.Optional(refused(refusedPermissions.import)),
    sys: Type.Optional(refused(refusedPermissions.sys)),
  },
  { ...closed, description: `What the plugin asks for: ${permissionNames.join(', ')}` },
);

const MetricSchema = Type.Object(
  {
    type: Type.Enum(['counter', 'gauge', 'histogram']),
    help: Type.String({ minLength: 3, maxLength: 200, description: 'One sentence' }),
    labels: Type.Array(labelName(), { maxItems: 6, uniqueItems: true, description: 'Label names; "plugin" is added' }),
    values: Type.Optional(
      Type.Record(
        Type.String(),
        Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { minItems: 1, maxItems: 30 }),
        {
          description:
            'The values of every label, where they are known: each of their sets is there from the start, at 0',
        },
      ),
    ),
    unit: Type.Optional(Type.String({ maxLength: 32 })),
    buckets: Type.Optional(
      Type.Array(Type.Number(), { minItems: 1, maxItems: 30, description: 'Upper bounds, ascending; histograms only' }),
    ),
  },
  closed,
);

function labelName(): TString {
  return Type.String({
    pattern: '^(?!plugin$|le$)[a-z][a-z0-9_]{0,39}$',
    description: 'a label name in lower_snake_case other than "plugin" and "le"',
  });
}

const amount = (description: string, maximum: number): TInteger => Type.Integer({ minimum: 1, maximum, description });

const LimitsSchema = Type.Object(
  {
    heapMiB: Type.Optional(
      Type.Integer({ minimum: 16, maximum: 4096, description: 'Heap; at most the configured one' }),
    ),
    rssMiB: Type.Optional(
      Type.Integer({ minimum: 64, maximum: 16_384, description: 'Resident memory of the process' }),
    ),
    callTimeoutMs: Type.Optional(amount('Longest call in either direction', 600_000)),
    bootTimeoutMs: Type.Optional(amount('Longest setup()', 600_000)),
    connections: Type.Optional(amount('Database connections', 100)),
    callsPerSecond: Type.Optional(amount('Calls to the core in a second', 1_000_000)),
  },
  { ...closed, description: 'Never above what the configuration allows' },
);

export const ManifestSchema = Type.Object(
  {
    $schema: Type.Optional(Type.String()),
    name: Type.String({
      pattern: '^(?=.{1,40}$)[a-z][a-z0-9]*(-[a-z0-9]+)*$',
      description: 'a kebab-case name of at most 40 characters, such as "orders"',
    }),
    version: Type.String({
      pattern:
        '^(0|[1-9]\\d{0,8})\\.(0|[1-9]\\d{0,8})\\.(0|[1-9]\\d{0,8})(-[0-9A-Za-z.-]{1,40})?(\\+[0-9A-Za-z.-]{1,40})?$',
      description: 'a semantic version such as "1.0.0"',
    }),
    description: Type.Optional(Type.String({ maxLength: 300 })),
    main: Type.Optional(
      Type.String({
        pattern: '^(?!/|.*(^|/)\\.\\.(/|$))[A-Za-z0-9._/-]+\\.(ts|mts|js|mjs)$',
        maxLength: 200,
        description: 'a module inside the plugin folder such as "plugin.ts" (the default)',
      }),
    ),
    permissions: Type.Optional(PermissionsSchema),
    metrics: Type.Optional(
      Type.Record(Type.String(), MetricSchema, {
        maxProperties: 50,
        description: 'Metrics of the plugin, by name: "returnit_parcels_total"',
      }),
    ),
    limits: Type.Optional(LimitsSchema),
  },
  {
    ...closed,
    $id: 'https://returnit.example/schemas/plugin.schema.json',
    title: 'ReturnIt plugin',
    description: 'What a plugin is and what it asks for. Read before any of its code runs.',
  },
);

export type ManifestDocument = Static<typeof ManifestSchema>;
export type MetricDeclaration = Static<typeof MetricSchema>;
export type ManifestLimits = Static<typeof LimitsSchema>;
export type ManifestPermissions = Omit<Static<typeof PermissionsSchema>, keyof typeof refusedPermissions>;
