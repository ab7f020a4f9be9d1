// One install at a time in a clone: two at once would delete each other's files.
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const retryMs = 200;

/**
 * Waits until nobody else holds the lock, then takes it; returns what gives it back.
 *
 * The lock is a file with the holder's process id and start time: an id alone may have been given to another process
 * since the holder was killed.
 */
export async function takeInstallLock(lockPath, { waitMaxMs, onWait }) {
  const own = identify(process.pid) ?? `${process.pid}`;
  const deadline = performance.now() + waitMaxMs;
  let told = false;
  for (;;) {
    if (create(lockPath, own)) return () => rmSync(lockPath, { force: true });
    const holder = readLock(lockPath);
    if (holder !== '' && isGone(holder)) {
      removeAbandoned(lockPath, holder);
      continue;
    }
    const [pid] = holder.split(' ');
    if (performance.now() > deadline)
      throw new Error(`process ${pid} has been at it for ${waitMaxMs / 1000} s; end it, or remove ${lockPath}`);
    if (!told && holder !== '') onWait(pid);
    told ||= holder !== '';
    await delay(retryMs);
  }
}

/** It appears with its content at once, or not at all. */
function create(lockPath, content) {
  const written = `${lockPath}.${process.pid}`;
  writeFileSync(written, content);
  try {
    linkSync(written, lockPath);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(written);
  }
}

/** Empty when it has been given back meanwhile. */
function readLock(lockPath) {
  try {
    return readFileSync(lockPath, 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return '';
  }
}

function isGone(holder) {
  return identify(Number(holder.split(' ')[0])) !== holder;
}

/** proc(5): the 22nd field is the start time in ticks since the machine started. */
function identify(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return undefined; // There is no such process.
  }
}

/** Of several that find the same abandoned lock one moves it away; who moved a fresh one instead puts it back. */
function removeAbandoned(lockPath, holder) {
  const aside = `${lockPath}.${process.pid}`;
  try {
    renameSync(lockPath, aside);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return;
  }
  if (readLock(aside) === holder) rmSync(aside);
  else renameSync(aside, lockPath);
}
