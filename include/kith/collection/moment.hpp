// kith/collection/moment.hpp — the records a read looks at: those of now, or those of a snapshot that is held.
//
// Thread safety: as the engine; a Moment itself is immutable.
#pragma once

#include "kith/collection/engine.hpp"

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace kith::inline v0::detail {

class Moment {
public:
    /// Now, whenever it is asked.
    Moment(const Engine& engine) noexcept : engine_(&engine) {}

    /// The moment of `held`, for as long as it is held.
    Moment(const Engine& engine, std::shared_ptr<const Snapshot> held) noexcept
        : engine_(&engine), held_(std::move(held)) {}

    [[nodiscard]] const Engine& engine() const noexcept { return *engine_; }

    /// Requires, for both: an engine().enter() is held.
    [[nodiscard]] std::shared_ptr<const Snapshot> snapshot() const {
        return held_ == nullptr ? engine_->snapshot() : held_;
    }
    [[nodiscard]] std::optional<Engine::Located> locate(std::string_view key) const {
        return held_ == nullptr ? engine_->locate(key) : engine_->locate_in(held_, key);
    }

private:
    const Engine* engine_;  // the collection's, which outlives this
    std::shared_ptr<const Snapshot> held_;
};

}  // namespace kith::inline v0::detail
