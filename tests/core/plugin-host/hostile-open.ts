/** What the sandbox leaves open, and why. README.md lists exactly these. */
export const hostileOpen: Readonly<Record<string, string>> = {
  'use a whole CPU core':
    'CPU time is measured, not capped: a plugin that yields now and then is not an endless loop. Limit it with a cgroup',
  'forge its own samples':
    "Heap, event loop and heartbeat are reported by the plugin's own process and can be forged; resident memory and CPU time are taken from the kernel",
  'see open descriptors':
    'A plugin that replaces functions of Node can reach descriptors 3 and 4 of its own process; the core checks every byte of both',
  'read facts of the machine': 'process.pid, ppid, versions, memoryUsage and resourceUsage stay visible',
  'take time and memory of the bundler':
    'It runs with the rights of the core on source text, for at most 20 s a plugin and one at a time; deeply nested source can make it use 1 GB before it ends. That fails this plugin alone',
};
