// src/scalar/term_lists_writer.hpp — makes a table of terms of terms that come in order, each with its slots.
//
// Unions are made as the terms come: each level holds the bits of the run that is open there, and hands them to the level
// above when the run ends. So nothing that came is looked at again.
//
// Thread safety: none; one thread fills one.
#pragma once

#include "kith/core/slot.hpp"
#include "kith/scalar/term_lists_builder.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

class TermListsWriter {
public:
    /// Of slots below `universe`. Requires: `postings` is the number of all slots of all terms.
    TermListsWriter(Slot universe, std::uint64_t postings);

    /// Requires: `slots` ascend, and are not none; `term` is above the one before, and lives until the next one comes.
    /// Throws: Errc::limit_exceeded when there are 2^32 of them.
    void add(std::string_view term, std::span<const Slot> slots);

    /// Requires: no term follows.
    [[nodiscard]] TermListsImage finish();

private:
    /// A run of blocks and of the postings in them.
    struct Run {
        std::uint32_t first_block = 0;
        std::uint32_t end_block = 0;
        std::uint64_t postings = 0;
    };

    /// Joins neighbouring runs of the level below until each has `target` postings. Those of level 0 are blocks.
    struct Level {
        std::uint64_t target = 0;
        Run run;
        std::uint32_t joined = 0;  // runs in it
        std::vector<std::uint64_t> words;
    };

    struct Union {
        Run run;
        std::string entry;  // as it is stored
    };

    void begin_block();
    void end_block();
    void make_room(std::size_t level);
    void join(std::size_t level, const Run& run, std::span<const std::uint64_t> words);
    void end_run(std::size_t level);
    void add_union(const Level& level);
    void note_list(std::string& out, std::size_t offset, std::size_t slots) const;
    void note_start();

    Slot universe_;
    std::uint64_t postings_;
    std::uint64_t finest_;  // postings that make a union worth its bytes
    std::vector<Level> levels_;
    std::string directory_, longs_, shorts_, terms_, lists_;
    std::vector<Union> unions_;
    Run block_;                // that terms go to
    std::uint64_t added_ = 0;  // postings so far
    std::uint32_t terms_count_ = 0;
    std::uint32_t longs_count_ = 0;
    std::uint32_t terms_in_block_ = 0;
    std::string_view before_;  // the term before, within its block
};

}  // namespace kith::inline v0::detail
