import { integer } from './setting.ts';

/** Request bodies that a plugin takes in pieces: files, and lines. */
export const uploadSettings = {
  httpUploadMaxBytes: integer('HTTP_UPLOAD_MAX_BYTES', 10_485_760, {
    description: 'Largest file that a route may take; a route may take less',
    min: 1,
    max: 67_108_864,
  }),
  httpUploadsPerPluginMax: integer('HTTP_UPLOADS_PER_PLUGIN_MAX', 16, {
    description: 'Files, and bodies of lines, that one plugin takes at the same time',
    min: 1,
    max: 128,
  }),
  httpBodyStallMs: integer('HTTP_BODY_STALL_MS', 15_000, {
    description: 'A client that sends nothing of a file or of lines for this long, while more is wanted, is cut off',
    min: 1,
  }),
  httpLinesMax: integer('HTTP_LINES_MAX', 10_000, { description: 'Lines of one body', min: 1 }),
  httpLinesMaxBytes: integer('HTTP_LINES_MAX_BYTES', 67_108_864, { description: 'Bytes of one body of lines', min: 1 }),
  httpLineMaxBytes: integer('HTTP_LINE_MAX_BYTES', 65_536, {
    description: 'Bytes of one line; a longer one is refused alone',
    min: 1,
    max: 131_072,
  }),
  httpLinesTimeoutMs: integer('HTTP_LINES_TIMEOUT_MS', 600_000, {
    description: 'Longest time in which a body of lines must arrive',
    min: 1,
  }),
} as const;
