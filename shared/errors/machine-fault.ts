/** Node's error codes for a thread that cannot be started and memory that cannot be allocated. */
const machineCodes = ['ERR_WORKER_INIT_FAILED', 'ERR_MEMORY_ALLOCATION_FAILED'];

/**
 * Matches the messages of V8 (array buffers, WebAssembly), WebAssembly modules and the native kernels
 * when memory cannot be allocated.
 */
const outOfMemory = /allocation failed|could not allocate|out of memory|not enough memory|bad_alloc/i;

/**
 * Tells whether the operating system or an allocator refused something: no such folder, no space, no
 * descriptor, no memory. The data in work at that moment is not the cause.
 */
export function isMachineFault(caught: unknown): boolean {
  if (!(caught instanceof Error)) return false;
  const { code, syscall } = caught as NodeJS.ErrnoException;
  if (syscall !== undefined || machineCodes.includes(code ?? '')) return true;
  return caught instanceof RangeError && outOfMemory.test(caught.message);
}

/** Tells whether a file or folder does not exist, as opposed to not being accessible just now. */
export function isAbsent(caught: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((caught as NodeJS.ErrnoException).code ?? '');
}

/**
 * Returns a function for `catch` that replaces the error of a missing file or folder by `value`.
 * @throws every other error, because what cannot be read just now is not missing
 */
export function ifAbsent<T>(value: T): (caught: unknown) => T {
  return (caught) => {
    if (isAbsent(caught)) return value;
    throw caught;
  };
}

const shortageCodes = ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN'];

/** Matches messages of the dynamic loader (glibc and musl) for EMFILE, ENFILE and ENOMEM. */
const loaderShortage = /too many open files|no file descriptors|cannot allocate memory|out of memory/i;

/**
 * Tells whether the error or one of its causes is a temporary shortage of the system. What could not be
 * read or started may work later.
 */
export function isShortage(caught: unknown): boolean {
  if (!(caught instanceof Error)) return false;
  const { code = '', message, cause } = caught as NodeJS.ErrnoException;
  if (shortageCodes.includes(code)) return true;
  if (code === 'ERR_DLOPEN_FAILED' && loaderShortage.test(message)) return true;
  // Node puts the system's reason into the message: "Worker initialization failure: EMFILE".
  if (machineCodes.includes(code) && shortageCodes.some((reason) => message.includes(reason))) return true;
  return isShortage(cause);
}
