/** A username fits into one topic level and one log field: it may name a device, a driver, whose id may begin with anything, or an e-mail address. */
export const usernamePattern = '^[A-Za-z0-9_-][A-Za-z0-9._@:-]{0,127}$';
