/** What is needed of an `AbortSignal`, whatever realm or library it is from. */
export interface AnySignal {
  readonly aborted: boolean
  readonly reason?: unknown
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** Whether something that is not null can be listened to as a signal. */
export const usable = (signal: unknown): signal is AnySignal => {
  const { aborted, addEventListener, removeEventListener } = signal as Partial<AnySignal>
  return typeof aborted === 'boolean' && typeof addEventListener === 'function' && typeof removeEventListener === 'function'
}

/** Why a signal was aborted; the platform's own reason where it has none. */
export const reasonOf = (signal: AnySignal): unknown => signal.reason === undefined ? abortError() : signal.reason

/** What the platform says of an abort that nobody gave a reason for. */
export const abortError = (): Error => new DOMException('This operation was aborted', 'AbortError')

/** Does something when a signal is aborted, at once if it is; the returned function takes the one listener away. */
export const onAbort = (signal: AnySignal, task: (reason: unknown) => void): () => void => {
  if (signal.aborted) {
    task(reasonOf(signal))
    return () => {}
  }
  const listener = (): void => task(reasonOf(signal))
  signal.addEventListener('abort', listener)
  return () => signal.removeEventListener('abort', listener)
}
