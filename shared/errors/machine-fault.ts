/** What Node says where a thread cannot be started or memory cannot be had. */
const machineCodes = ['ERR_WORKER_INIT_FAILED', 'ERR_MEMORY_ALLOCATION_FAILED'];

/** What V8 (array buffers, WebAssembly), its WebAssembly modules and the native kernels say where there is no memory. */
const noMemory = /allocation failed|could not allocate|out of memory|not enough memory|bad_alloc/i;

/**
 * Whether the operating system or an allocator refused: no such folder, no room, no descriptor, no memory. Whatever was worked on
 * when that happened is not at fault.
 */
export function isMachineFault(caught: unknown): boolean {
  if (!(caught instanceof Error)) return false;
  const { code, syscall } = caught as NodeJS.ErrnoException;
  if (syscall !== undefined || machineCodes.includes(code ?? '')) return true;
  return caught instanceof RangeError && noMemory.test(caught.message);
}

/** Whether there is no such file or folder, and not only no way to look at it just now. */
export function isAbsent(caught: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((caught as NodeJS.ErrnoException).code ?? '');
}

/**
 * What stands for a file or folder that is not there; to be given to `catch`.
 * @throws every other error as it is: what cannot be read just now is not missing
 */
export function ifAbsent<T>(value: T): (caught: unknown) => T {
  return (caught) => {
    if (isAbsent(caught)) return value;
    throw caught;
  };
}

const shortageCodes = ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN'];

/** What the dynamic loader says in words of EMFILE, ENFILE and ENOMEM, in glibc's and musl's. */
const loaderShortage = /too many open files|no file descriptors|cannot allocate memory|out of memory/i;

/**
 * Whether the system had too little of something just now, said by an error itself or by what caused it: what could not be read or
 * started then may be as good as ever.
 */
export function isShortage(caught: unknown): boolean {
  if (!(caught instanceof Error)) return false;
  const { code = '', message, cause } = caught as NodeJS.ErrnoException;
  if (shortageCodes.includes(code)) return true;
  if (code === 'ERR_DLOPEN_FAILED' && loaderShortage.test(message)) return true;
  // Node names the system's reason in words: "Worker initialization failure: EMFILE".
  if (machineCodes.includes(code) && shortageCodes.some((reason) => message.includes(reason))) return true;
  return isShortage(cause);
}
