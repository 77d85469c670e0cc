// kith/index/ivf/no_codes.hpp — lists of nothing but slots: every vector of a list that is read is compared.
//
// Thread safety: a scan belongs to one search.
#pragma once

#include "kith/core/top_k.hpp"
#include "kith/index/flat.hpp"
#include "kith/index/ivf/blocks.hpp"
#include "kith/index/ivf/format.hpp"
#include "kith/index/ivf/model.hpp"
#include "kith/index/ivf/search.hpp"
#include "kith/quantize/centroids.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

class IvfNoCodes {
public:
    static constexpr bool coded = false;
    static constexpr std::string_view content = "";  // on disk

    /// Writes nothing.
    struct Encoder {
        Encoder(const IvfNoCodes&, const Centroids&, IvfForm) noexcept {}
    };

    template <class R>
    class Scan;

    static void check(const IvfParams&, std::size_t) noexcept {}
    [[nodiscard]] static IvfNoCodes train(const IvfLesson&) noexcept { return {}; }

    [[nodiscard]] static std::size_t pieces_for(const IvfParams&, std::size_t) noexcept { return 0; }
    [[nodiscard]] static bool possible(const IvfHeader& header) noexcept { return header.subvectors == 0; }
    [[nodiscard]] static IvfParts parts(const IvfHeader&) noexcept { return {}; }
    [[nodiscard]] static IvfNoCodes load(const IvfHeader&, const std::vector<float>&,
                                         const std::vector<float>&) noexcept {
        return {};
    }
    void describe(IvfHeader&) const noexcept {}
    [[nodiscard]] const std::vector<float>& mean() const noexcept { return nothing_; }
    [[nodiscard]] const std::vector<float>& words() const noexcept { return nothing_; }
    [[nodiscard]] std::size_t record_bytes() const noexcept { return 0; }

private:
    std::vector<float> nothing_;
};

static_assert(IvfCodes<IvfNoCodes>);

template <class R>
class IvfNoCodes::Scan {
public:
    Scan(const IvfNoCodes&, const IvfQuery<R>& lists, const IvfQuestion<R>& asked, TopK& best)
        : lists_(lists), asked_(asked), best_(best), scorer_(asked.scorer()), block_(scorer_, best) {}

    void read(const IvfBlocks& blocks, std::size_t at) noexcept {
        lists_.each_run(blocks, at, [&](IvfBlocks::Run run) {
            const Held held = blocks.hold_slots(run);
            const Slot* const slots = blocks.slots(run.first);
            for (std::size_t i = 0; i < run.count; ++i) {
                if (asked_.allowed.allows(slots[i])) block_.add(slots[i]);
            }
            return true;
        });
    }

    [[nodiscard]] std::size_t found() noexcept {
        block_.flush();
        return best_.size();
    }

    void finish(const IvfBlocks&) noexcept {
        block_.flush();
        asked_.scratch.counts.distances += block_.scored();
    }

private:
    using S = IvfScorer<R>;

    const IvfQuery<R>& lists_;
    const IvfQuestion<R>& asked_;
    TopK& best_;
    S scorer_;
    ScanBlock<S> block_;
};

}  // namespace kith::inline v0::detail
