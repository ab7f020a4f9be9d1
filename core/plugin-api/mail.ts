/** Part of the plugin API: mail. */

export interface OutgoingMail {
  /** One address, such as `anna@example.com`; the permission `mail` is asked for its domain. */
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html?: string;
  /**
   * The same for the same mail: letters, digits, `.`, `_`, `-`. The header `Message-ID` is made of it, so that whoever
   * gets a repetition can recognise it; what this core has already sent under it is not sent again.
   */
  readonly messageId: string;
  /** `X-…`, `List-…` and `Content-Language` alone. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Mail {
  /** False when the operator has set up no mail server: then `send` throws MAIL_UNAVAILABLE. */
  isConfigured(): Promise<boolean>;
  /**
   * Resolves when the mail server has taken the mail over. It throws with the code MAIL_REFUSED for good; MAIL_DEFERRED
   * when it was not sent, and may be later; MAIL_UNCERTAIN or TIMEOUT when it may have been: repeat it with its `messageId`.
   */
  send(mail: OutgoingMail): Promise<{ readonly messageId: string }>;
}
