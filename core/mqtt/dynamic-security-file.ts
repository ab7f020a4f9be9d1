import { pbkdf2Sync, randomBytes } from 'node:crypto';

/** As many as Mosquitto's own tool uses; the password of a node is a long random one. */
const iterations = 101;
const keyBytes = 64;
const saltBytes = 12;

/** The nodes read and write every topic, see the broker's figures and keep the devices' accounts. */
const nodeTopics = ['#', '$share/#', '$SYS/#', '$CONTROL/dynamic-security/#'];
const nodeAccess = ['publishClientSend', 'publishClientReceive', 'subscribePattern', 'unsubscribePattern'];

/**
 * The first accounts file of Mosquitto's dynamic security plugin: one account for the nodes, nothing for anybody else.
 * The plugin writes the file anew with each change, so it is made once.
 */
export function createDynamicSecurityFile(username: string, password: string): string {
  const salt = randomBytes(saltBytes);
  const role = 'returnit-node';
  const acls = nodeAccess.flatMap((acltype) => nodeTopics.map((topic) => ({ acltype, topic, allow: true })));
  const file = {
    clients: [
      {
        username,
        textName: 'Nodes of ReturnIt',
        password: pbkdf2Sync(password, salt, iterations, keyBytes, 'sha512').toString('base64'),
        salt: salt.toString('base64'),
        iterations,
        roles: [{ rolename: role }],
      },
    ],
    roles: [{ rolename: role, acls }],
    defaultACLAccess: {
      publishClientSend: false,
      publishClientReceive: true,
      subscribe: false,
      unsubscribe: true,
    },
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}
