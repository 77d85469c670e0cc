// kith/core/parallel.hpp — pieces of work, shared by a few threads.
//
// Threads take the next piece when they have done one, so it does not matter which of them does which. What each piece
// computes must depend on its number alone; then the outcome is the same for any number of threads.
//
// Thread safety: any number of calls at once, also from within a piece; the threads are those of Executor::shared().
#pragma once

#include "kith/core/executor.hpp"

#include <cstddef>

namespace kith::inline v0 {

/// Calls work(piece, thread) once for each piece below `pieces`; thread 0 is the caller, the others are below
/// `threads`. A thread that cannot be had, because others are at work on every core, is missed only in speed.
/// Throws: what `work` throws first, after every thread has stopped; some pieces are then not done.
template <class Work>
void share_work(unsigned threads, std::size_t pieces, const Work& work) {
    Executor::shared().share(threads, pieces, work);
}

}  // namespace kith::inline v0
