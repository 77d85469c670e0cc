// kith/core/long_call.hpp — how a call that may take long is watched, and stopped.
//
// The call asks check() wherever it can stop and leave everything as it was, so a stop comes a moment late and never
// halfway.
//
// Thread safety: check may be called by any thread of the call, and progress() with it, one at a time.
#pragma once

#include "kith/core/error.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>

namespace kith::inline v0 {

struct LongCall {
    std::stop_token stop = {};                                      ///< stopped from any thread: Errc::cancelled
    std::optional<std::chrono::steady_clock::time_point> deadline;  ///< passed: Errc::timed_out
    /// Called now and then with the share that is done, 0 to 1. What it throws ends the call, and leaves it. The call
    /// keeps others waiting meanwhile: it may read the collection, but neither write to it, nor close it, nor begin
    /// another long call.
    std::function<void(double done)> progress = {};

    /// Throws: Errc::cancelled, Errc::timed_out, and what `progress` throws.
    void check(double done) const {
        check_stopped();
        if (progress) progress(done);
    }

    /// The same without telling progress, for a call that waits and gets nothing done.
    void check_stopped() const {
        if (stop.stop_requested()) raise(Errc::cancelled, "the call was stopped; what it was to change is as before");
        if (deadline.has_value() && std::chrono::steady_clock::now() >= *deadline) {
            raise(Errc::timed_out, "the deadline of the call has passed; what it was to change is as before");
        }
    }
};

}  // namespace kith::inline v0
