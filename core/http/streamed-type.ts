/** Of what may be streamed: neither a page nor a script, which an SVG may hold as well. */
export const streamedContentType =
  '^((application|text)/(?!html|xml|javascript|ecmascript|css|xhtml)|image/(?!svg))[a-z0-9][a-z0-9.+-]*$';

const binaryType = /^image\/|^application\/(pdf|octet-stream|zip)$/;

/** Whether it is bytes by nature: of all else it is said that it is UTF-8. */
export function isBinary(contentType: string): boolean {
  return binaryType.test(contentType);
}
