import { accessCodes } from './access-codes.ts';
import { mailErrorCodes } from './codes-mail.ts';
import type { ErrorDescription } from './error-description.ts';

/** Every error code of the core. Documented in README.md and at `/problems/<code>`, held by tests. */
export const errorCodes = {
  // requests
  MALFORMED_REQUEST: {
    status: 400,
    title: 'Malformed request',
    meaning:
      'The request is not HTTP/1.1, its path or query is not properly encoded, or its body is not what was announced.',
    remedy: 'Send well-formed HTTP; percent-encode what stands in the path and query as UTF-8.',
  },
  MALFORMED_JSON: {
    status: 400,
    title: 'Malformed JSON',
    meaning: 'The body says that it is JSON and cannot be read as such.',
    remedy: 'Correct the place that the detail names. Text must be UTF-8.',
  },
  VALIDATION_FAILED: {
    status: 422,
    title: 'Request does not match its schema',
    meaning: "Path, query or body do not match the operation's schema. Nothing was changed.",
    remedy: 'Correct each place listed in `errors`; the schemas are in /openapi.json.',
  },
  REQUEST_TIMEOUT: {
    status: 408,
    title: 'Request took too long to arrive',
    meaning:
      'The request did not arrive completely within the time limit, or stopped coming. Nothing was changed, but by lines that had arrived and were answered.',
    remedy: 'Send it again, the body in one go; a slow network needs a smaller body.',
  },
  HEADERS_TOO_LARGE: {
    status: 431,
    title: 'Headers too large',
    meaning: "The request's headers are larger than the server reads (HTTP_HEADERS_MAX_BYTES).",
    remedy: 'Send fewer or shorter headers.',
  },
  BODY_TOO_LARGE: {
    status: 413,
    title: 'Body too large',
    meaning:
      'The body is larger than the server reads: HTTP_BODY_MAX_BYTES, of a file the limit of its operation, of lines HTTP_LINES_MAX and HTTP_LINES_MAX_BYTES. Nothing was changed, but by lines before that were answered.',
    remedy: 'Send less at once.',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    title: 'Unsupported media type',
    meaning: 'The body has a content type or encoding that the operation does not take.',
    remedy:
      'Send one of the content types that `Accept` and /openapi.json name, JSON in UTF-8 as `application/json`, and do not compress it.',
  },
  UNAUTHENTICATED: {
    status: 401,
    title: 'Authentication required',
    meaning:
      "There is no token, or it is not valid: expired, signed by somebody else, or without what it must say. On a device's route: no credentials, wrong or revoked ones.",
    remedy:
      'Get a new token and send it as `Authorization: Bearer <token>`. A device sends its user name and password by HTTP Basic; ops issue new ones.',
  },
  TOO_MANY_FAILURES: {
    status: 429,
    title: 'Too many failures',
    meaning:
      "A device's credentials, or an API key, are not checked, for too many were wrong at this address within a minute.",
    remedy:
      'Correct the password or the key; it is tried again after `Retry-After`, and what a device has queued stays queued.',
  },
  ...accessCodes,
  AUTHENTICATION_UNAVAILABLE: {
    status: 503,
    title: 'Cannot check tokens',
    meaning: 'The keys that sign tokens cannot be fetched, so no token can be checked.',
    remedy: 'Try again after `Retry-After`. Operators: look at JWT_JWKS_URL.',
  },
  FORBIDDEN: {
    status: 403,
    title: 'Not allowed',
    meaning: 'The token is valid, but its role may not do this.',
    remedy: 'Use a token of a role that may: `x-roles` in /openapi.json names them.',
  },
  NOT_FOUND: {
    status: 404,
    title: 'Not found',
    meaning: 'Nothing has this path or id, or nothing that the caller may know of.',
    remedy: 'Check the path; /openapi.json lists the operations.',
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    title: 'Method not allowed',
    meaning: 'The path exists, but not with this method.',
    remedy: 'Use one of the methods that the header `Allow` names.',
  },
  TIMEOUT: {
    status: 504,
    title: 'Deadline exceeded',
    meaning: 'The answer took longer than the deadline. Whether the request took effect is not known.',
    remedy:
      'Read what became of it before sending it again; a booking with the same `reference` can be sent again safely.',
  },
  OVERLOADED: {
    status: 503,
    title: 'Too much at once',
    meaning: "The server, or the caller's share of it, has too much to do at once.",
    remedy: 'Try again after `Retry-After`, with growing pauses. Close live connections that are not needed.',
  },
  SHUTTING_DOWN: {
    status: 503,
    title: 'Shutting down',
    meaning: 'This node is stopping and takes nothing new.',
    remedy: 'Send the request again: another node, or this one after its restart, answers.',
  },
  INTERNAL: {
    status: 500,
    title: 'Internal error',
    meaning: 'The server failed in a way that nobody expected.',
    remedy: 'Report the `trace_id`: the log has the reason under it.',
  },
  INVALID_RESPONSE: {
    status: 500,
    title: 'Response does not match its schema',
    meaning:
      'The plugin answered something else than what it has declared; it is not passed on. The request may have taken effect.',
    remedy: 'Report the `trace_id`. Plugin authors: the log names the place in the reply.',
  },
  // plugins
  NOT_CAPABLE: {
    status: 500,
    title: 'Permission denied',
    meaning: 'A plugin tried what it was not granted.',
    remedy:
      'Operators: `returnit plugins audit NAME` shows what was denied and by which rule; grant it if it is right.',
  },
  BUDGET_EXCEEDED: {
    status: 503,
    title: 'Budget spent',
    meaning: 'A plugin has spent what it may: its calls of this second, or the rows and bytes of a result.',
    remedy: 'Try again after `Retry-After`. Plugin authors: ask for less at once.',
  },
  PLUGIN_UNAVAILABLE: {
    status: 503,
    title: 'Plugin is not available',
    meaning:
      'The plugin that answers this path is not running: it restarts, is held, or is quarantined. The detail says which.',
    remedy: 'Try again after `Retry-After`. Operators: `returnit plugins list` and `returnit plugins deaths NAME`.',
  },
  PLUGIN_FAILED: {
    status: 500,
    title: 'Plugin failed',
    meaning: "The plugin's code threw an error while it handled the request.",
    remedy: 'Report the `trace_id`. Plugin authors: the log has the error and its stack.',
  },
  PLUGIN_UNKNOWN: {
    status: 404,
    title: 'Unknown plugin',
    meaning: 'No plugin of this node has this name.',
    remedy: '`returnit plugins list` shows the names.',
  },
  JOB_KEY_TAKEN: {
    status: 409,
    title: 'A job of the same key waits already',
    meaning: 'Of the jobs of a queue with one key at most one is unfinished, and there is one. The dead letter stays.',
    remedy: 'Replay it when that one is done, or drop it.',
  },
  PLUGIN_NOT_QUARANTINED: {
    status: 409,
    title: 'Plugin is not quarantined',
    meaning: 'Only a quarantined plugin can be released, and this one is not.',
    remedy: 'Look at its state with `returnit plugins list`.',
  },
  INVALID_SCHEMA: {
    status: 500,
    title: 'Invalid schema',
    meaning: 'A schema that a plugin registered is not one that the core takes.',
    remedy: 'Plugin authors: correct the place that the message names.',
  },
  ROUTE_CONFLICT: {
    status: 500,
    title: 'Route already taken',
    meaning: 'Two plugins registered the same path, or one plugin did twice.',
    remedy: "Plugin authors: choose a path below the plugin's own prefix.",
  },
  INVALID_CALL: {
    status: 500,
    title: 'Call does not match the plugin API',
    meaning: 'A plugin called the core with arguments that the plugin API does not allow.',
    remedy: 'Plugin authors: the message names the argument; core/plugin-api.ts has the types.',
  },
  PROTOCOL_VIOLATION: {
    status: 500,
    title: 'Protocol violation',
    meaning: "A plugin's process sent something that is not a message of the protocol. The process is ended.",
    remedy: 'Operators: `returnit plugins deaths NAME`; do not trust the plugin before it is explained.',
  },
  INVALID_MANIFEST: {
    status: 500,
    title: 'Invalid manifest',
    meaning: 'A `plugin.json` is not valid.',
    remedy: 'Correct the place that the message names; the schema is core/plugin-host/plugin.schema.json.',
  },
  INVALID_GRANTS: {
    status: 500,
    title: 'Invalid grants',
    meaning: '`plugins/grants.json` or an `--allow-…`/`--deny-…` flag is not valid.',
    remedy: 'Correct the place that the message names.',
  },
  LOCK_MISMATCH: {
    status: 500,
    title: 'Plugin differs from its lock',
    meaning: 'A plugin is not what `plugins/plugins.lock` says. It is held: not started.',
    remedy: 'Look at what differs, then `returnit plugins lock NAME`, or put the old files back.',
  },
  GRANT_MISSING: {
    status: 500,
    title: 'Grant missing',
    meaning: 'A plugin asks for what the operator has not granted.',
    remedy: 'Run the command in the message, or deny it with the flag there.',
  },
  FETCH_FAILED: {
    status: 502,
    title: 'Request to another host failed',
    meaning: 'A request of a plugin to another host failed: no connection, no answer, or one that is too large.',
    remedy: 'Plugin authors: handle it as any network failure. Operators: look at the host.',
  },
  ...mailErrorCodes,
  CANCELLED: {
    status: 499,
    title: 'Cancelled',
    meaning: 'The caller went away, and the work was given up.',
    remedy: 'Nothing; nobody reads this answer.',
  },
  // start
  CORE_NOT_RUNNING: {
    status: 503,
    title: 'No core is running',
    meaning: 'The command needs a running core on this data folder, and there is none.',
    remedy: 'Start it with `npm start`, or name its folder with DATA_DIR.',
  },
  INVALID_CONFIG: {
    status: 500,
    title: 'Invalid configuration',
    meaning: 'A setting, key file or folder cannot be used.',
    remedy: 'Correct the variable that the message names; the README lists all of them.',
  },
  DATA_DIR_IN_USE: {
    status: 500,
    title: 'Data folder in use',
    meaning: 'Another core runs on this data folder.',
    remedy: 'Stop it, or give this one a folder of its own with DATA_DIR.',
  },
  PORT_IN_USE: {
    status: 500,
    title: 'Port in use',
    meaning: 'Another program listens on the port.',
    remedy: 'Stop it, or choose another port; 0 is any free one.',
  },
  DATABASE_UNREACHABLE: {
    status: 503,
    title: 'Cannot reach the database',
    meaning: 'The database cannot be reached at the moment.',
    remedy: 'Try again after `Retry-After`. Operators: look at Postgres and at DATABASE_URL.',
  },
  DATABASE_ERROR: {
    status: 500,
    title: 'Database error',
    meaning: 'The database refused a statement, or its answer was over a limit.',
    remedy: "Report the `trace_id`. Plugin authors: the log has Postgres' message and the statement's name.",
  },
  MIGRATION_FAILED: {
    status: 500,
    title: 'Migration failed',
    meaning: 'A migration could not be applied. The database is as it was before it.',
    remedy: 'Correct the file that the message names, or put back the one that was applied.',
  },
  BROKER_UNREACHABLE: {
    status: 500,
    title: 'Cannot reach the MQTT broker',
    meaning: 'The MQTT broker cannot be reached.',
    remedy: 'Operators: look at the broker and at MQTT_URL.',
  },
} as const satisfies Record<string, ErrorDescription>;

export type ErrorCode = keyof typeof errorCodes;
