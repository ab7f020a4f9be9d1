/** A username fits into one topic level and one log field: it may name a device, a driver or an e-mail address. */
export const usernamePattern = '^[A-Za-z0-9][A-Za-z0-9._@:-]{0,127}$';
