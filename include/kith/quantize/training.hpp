// kith/quantize/training.hpp — how anything that learns from vectors is told to learn.
#pragma once

#include "kith/core/error.hpp"

#include <cstdint>
#include <functional>

namespace kith::inline v0 {

struct Training {
    std::uint64_t seed = 0x6b697468;  ///< same seed, same sample, same thread count or not: the same outcome
    unsigned threads = 1;
    /// Called from the training thread with the share that is done, 0 to 1, several times a second where training takes
    /// that long; false cancels. It may throw. What was being trained is then as before.
    std::function<bool(double done)> progress;

    /// Throws: Errc::cancelled when `progress` says so, and what `progress` throws.
    void report(double done) const {
        if (progress && !progress(done)) raise(Errc::cancelled, "training was cancelled; nothing has changed");
    }

    /// The same for a step of the whole, which goes on from the share `first` to the share `last`. Refers to this.
    [[nodiscard]] Training part(double first, double last) const {
        Training step{.seed = seed, .threads = threads, .progress = {}};
        if (!progress) return step;
        step.progress = [this, first, last](double done) { return progress(first + (last - first) * done); };
        return step;
    }
};

}  // namespace kith::inline v0
