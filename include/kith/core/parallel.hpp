// kith/core/parallel.hpp — pieces of work, shared by a few threads.
//
// Threads take the next piece when they have done one, so it does not matter which of them does which. What each piece
// computes must depend on its number alone; then the outcome is the same for any number of threads.
//
// Thread safety: a call owns the threads it starts and ends them before it returns.
#pragma once

#include "kith/core/error.hpp"

#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace kith::inline v0 {

/// Calls work(piece, thread) once for each piece below `pieces`; thread 0 is the caller, the others are below
/// `threads`. A thread that cannot be had is missed only in speed.
/// Throws: what `work` throws first, after every thread has stopped; some pieces are then not done.
template <class Work>
void share_work(unsigned threads, std::size_t pieces, const Work& work) {
    std::atomic<std::size_t> next = 0;
    std::exception_ptr failure;
    std::mutex failing;
    const auto run = [&](unsigned thread) noexcept {
        const std::exception_ptr failed = attempt([&] {
            for (std::size_t piece = next.fetch_add(1); piece < pieces; piece = next.fetch_add(1)) work(piece, thread);
        });
        if (!failed) return;
        next.store(pieces);  // nobody begins another
        const std::lock_guard lock(failing);
        if (!failure) failure = failed;
    };
    std::vector<std::thread> others;
    threads = static_cast<unsigned>(std::min<std::size_t>(threads, pieces));
    if (threads > 1) {
        static_cast<void>(attempt([&] {
            others.reserve(threads - 1);
            for (unsigned thread = 1; thread < threads; ++thread) others.emplace_back(run, thread);
        }));
    }
    run(0);
    for (std::thread& other : others) other.join();
#ifdef __cpp_exceptions
    if (failure) std::rethrow_exception(failure);
#endif
}

}  // namespace kith::inline v0
