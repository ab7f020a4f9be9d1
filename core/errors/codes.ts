/** Every error code of the core: HTTP status (where HTTP sees it) and constant title. Documented in README.md, held by a test. */
export const errorCodes = {
  // requests
  MALFORMED_JSON: { status: 400, title: 'Malformed JSON' },
  VALIDATION_FAILED: { status: 422, title: 'Request does not match its schema' },
  BODY_TOO_LARGE: { status: 413, title: 'Body too large' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'Unsupported media type' },
  UNAUTHENTICATED: { status: 401, title: 'Authentication required' },
  FORBIDDEN: { status: 403, title: 'Not allowed' },
  NOT_FOUND: { status: 404, title: 'Not found' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'Method not allowed' },
  TIMEOUT: { status: 504, title: 'Deadline exceeded' },
  OVERLOADED: { status: 503, title: 'Too much at once' },
  SHUTTING_DOWN: { status: 503, title: 'Shutting down' },
  INTERNAL: { status: 500, title: 'Internal error' },
  INVALID_RESPONSE: { status: 500, title: 'Response does not match its schema' },
  // plugins
  NOT_CAPABLE: { status: 500, title: 'Permission denied' },
  BUDGET_EXCEEDED: { status: 503, title: 'Budget spent' },
  PLUGIN_UNAVAILABLE: { status: 503, title: 'Plugin is not available' },
  PLUGIN_FAILED: { status: 500, title: 'Plugin failed' },
  PLUGIN_UNKNOWN: { status: 404, title: 'Unknown plugin' },
  INVALID_CALL: { status: 500, title: 'Call does not match the plugin API' },
  PROTOCOL_VIOLATION: { status: 500, title: 'Protocol violation' },
  INVALID_MANIFEST: { status: 500, title: 'Invalid manifest' },
  INVALID_GRANTS: { status: 500, title: 'Invalid grants' },
  LOCK_MISMATCH: { status: 500, title: 'Plugin differs from its lock' },
  GRANT_MISSING: { status: 500, title: 'Grant missing' },
  CANCELLED: { status: 499, title: 'Cancelled' },
  // start
  INVALID_CONFIG: { status: 500, title: 'Invalid configuration' },
  DATA_DIR_IN_USE: { status: 500, title: 'Data folder in use' },
  PORT_IN_USE: { status: 500, title: 'Port in use' },
  DATABASE_UNREACHABLE: { status: 500, title: 'Cannot reach the database' },
  DATABASE_ERROR: { status: 500, title: 'Database error' },
  MIGRATION_FAILED: { status: 500, title: 'Migration failed' },
  BROKER_UNREACHABLE: { status: 500, title: 'Cannot reach the MQTT broker' },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type ErrorCode = keyof typeof errorCodes;
