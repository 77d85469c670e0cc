// kith/collection/snapshot_handle.hpp — a collection as it was at one moment, for as long as it is held.
#pragma once

#include "kith/collection/moment.hpp"
#include "kith/collection/reading.hpp"

#include <memory>
#include <utility>

namespace kith::inline v0 {

/// What Collection::snapshot returns: the records of that moment, whatever is written, sealed or merged since. Holding
/// it keeps no writer waiting; it keeps the files, rows and memory of the segments it shows, which a merge would
/// otherwise give back, so let go of it when it is no longer needed.
///
/// The collection must outlive it, and must not be moved meanwhile; once that is closed, reading raises Errc::closed.
/// Copies show the same moment.
///
/// Thread safety: as Reading.
template <class S>
class Snapshot : public Reading<Snapshot<S>, S> {
public:
    explicit Snapshot(const detail::Engine& engine)
        : moment_([&] {
              const auto open = engine.enter();
              return detail::Moment(engine, engine.snapshot());
          }()) {}

private:
    friend class Reading<Snapshot<S>, S>;

    [[nodiscard]] const detail::Moment& moment() const noexcept { return moment_; }

    detail::Moment moment_;
};

}  // namespace kith::inline v0
