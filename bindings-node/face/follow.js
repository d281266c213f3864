'use strict'
const { aborted } = require('./error.js')

/** How often progress is told, in milliseconds. */
const TICK = 50

/** Follows a running job: tells its progress, and stops it when the signal says so. */
const follower = (cancelJob, jobProgress) => (promise, job, options, instead) => {
  const { signal, onProgress } = options ?? {}
  return new Promise((resolve, reject) => {
    let timer
    let last = ''
    const tell = () => {
      const [stage, done, total] = jobProgress(job)
      const now = `${stage} ${done} ${total}`
      if (now === last || !stage) return
      last = now
      onProgress(stage, done, total)
    }
    const abort = () => {
      // Work that has begun may be done before it hears of it, and what it did then stands: its own end is told.
      if (!cancelJob(job)) finish(reject, aborted(signal.reason))
    }
    const finish = (settle, value) => {
      clearInterval(timer)
      signal?.removeEventListener('abort', abort)
      settle(value)
    }
    promise.then((value) => {
      try {
        if (onProgress) tell()
        finish(resolve, instead ?? value)
      } catch (error) {
        finish(reject, error)
      }
    }, (error) => finish(reject, error.code === 'HW_CANCELLED' ? aborted(signal?.reason) : error))
    if (signal) {
      if (signal.aborted) return abort()
      signal.addEventListener('abort', abort, { once: true })
    }
    if (onProgress) {
      timer = setInterval(() => {
        try {
          tell()
        } catch (error) {
          cancelJob(job)
          finish(reject, error)
        }
      }, TICK)
      timer.unref()
    }
  })
}

module.exports = { follower }
