// kith/storage/block_cache.hpp — how many blocks of files are in memory at a time, and which one goes for the next.
//
// Blocks that are in memory stand in a ring, and a hand goes round it: a block that was read again since the hand came
// by stays, one that was not goes. Blocks of a scan, which are read once, never count as read again, so a scan does not
// drive out what others come back to.
//
// A reader writes down which blocks it is about to read, then looks at their states, one load each. Who wants a block
// to go says so in its state, then looks at what readers wrote down. So one of the two sees the other, no reader waits
// for another, and what is in memory is within the limit or being read at this moment.
//
// Thread safety: all of it, but for a Member: it is made, and ends, when nobody reads it. A child made by fork may only
// destroy what it inherited.
// Source: Corbató, "A paging experiment with the Multics system", 1969 (CLOCK); Michael, IEEE TPDS 15(6), 2004 (hazard
// pointers).
#pragma once

#include "kith/core/residency.hpp"

#include <sys/types.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace kith::inline v0::detail {

class BlockCache {
public:
    static constexpr std::size_t block_bytes = 65536;

    /// Blocks that one hold() keeps: as many as Residency's pieces may lie in.
    static constexpr std::size_t most_held =
        2 * Residency::most_pieces + (Residency::most_bytes + block_bytes - 1) / block_bytes;

    /// The blocks of one file.
    class Member {
    public:
        Member(BlockCache& cache, std::size_t blocks);
        Member(const Member&) = delete;
        Member& operator=(const Member&) = delete;

    protected:
        ~Member() = default;

        /// Forgets its blocks; returns when no thread is at work on any. To be called before the file goes.
        void leave() noexcept;

    private:
        friend class BlockCache;

        /// Begins to read a block that read() is about to be called for.
        virtual void ask_for(std::size_t block) noexcept = 0;

        /// Brings a block into memory; false where it is damaged, and then it takes no memory and stays as it is.
        [[nodiscard]] virtual bool read(std::size_t block) noexcept = 0;

        /// Gives back the memory of a block.
        virtual void drop(std::size_t block) noexcept = 0;

        BlockCache& cache_;
        const std::uint32_t number_;                     // its generation: no other file of the cache ever has it
        std::vector<std::atomic<std::uint8_t>> states_;  // of the blocks; see State
        std::size_t unsettled_ = 0;                      // blocks that come or go; guarded by the cache's mutex
    };

    /// At most `limit` bytes are in memory, or one block where that is less; and what is being read, where that is
    /// more: up to most_held blocks for each Held.
    explicit BlockCache(std::uint64_t limit);
    ~BlockCache();
    BlockCache(const BlockCache&) = delete;
    BlockCache& operator=(const BlockCache&) = delete;

    struct Stats {
        std::uint64_t limit = 0;           ///< bytes
        std::uint64_t resident_bytes = 0;  ///< in memory, or on their way
        std::uint64_t reads = 0;           ///< blocks brought in since it was made
        std::uint64_t evictions = 0;       ///< blocks that went for others
        std::uint64_t damaged = 0;         ///< blocks that were wrong or could not be read
    };
    [[nodiscard]] Stats stats() const;

    /// Keeps blocks of a member in memory until release() is called with what this returns.
    [[nodiscard]] void* hold(Member& member, std::span<const std::uint32_t> blocks, Residency::Use use) noexcept;
    void release(void* held) noexcept;

    /// A place among the few descriptors that the files of a cache may keep: false where all are taken.
    [[nodiscard]] bool take_descriptor() noexcept;
    void give_descriptor() noexcept { descriptors_.fetch_add(1); }

private:
    /// What a block is. Only `resident` and `recent` ones are in memory for good.
    enum State : std::uint8_t {
        absent,    // not in memory
        coming,    // someone brings it in
        resident,  // in memory, and not read again since the hand came by
        recent,    // in memory, and read again
        leaving,   // someone lets it go
        damaged,   // never to be read again; zeros stand in its place
    };

    static constexpr int most_descriptors = 8;

    struct Frame {
        Member* member = nullptr;
        std::uint32_t block = 0;
    };

    /// What one hold() keeps.
    struct alignas(64) Reader {
        std::atomic<bool> taken = false;
        std::atomic<std::uint32_t> count = 0;
        std::array<std::atomic<std::uint64_t>, most_held> keys{};  // the first `count`
    };
    static constexpr std::size_t reader_count = 64;  // what more threads read at a time is not kept from going

    /// Blocks on their way out; see make_room.
    struct Victims {
        std::array<Frame, 2> frames;
        std::size_t count = 0;
    };

    static std::uint64_t key_of(const Member& member, std::uint32_t block) noexcept {
        return (std::uint64_t{member.number_} << 32) | block;
    }
    static std::atomic<std::uint8_t>& state_of(const Frame& frame) noexcept {
        return frame.member->states_[frame.block];
    }

    [[nodiscard]] Reader* take_reader() noexcept;
    [[nodiscard]] bool is_held(std::uint64_t key) const noexcept;
    [[nodiscard]] static bool is_there(std::atomic<std::uint8_t>& state, Residency::Use use) noexcept;

    void bring_in(Member& member, std::uint32_t block) noexcept;
    void trim() noexcept;

    // With mutex_ held:
    [[nodiscard]] std::size_t sweep(Victims& victims) noexcept;
    void make_room(Frame wanted, Victims& victims) noexcept;
    void remove_frame(std::size_t at) noexcept;
    void settle(const Victims& victims) noexcept;

    const std::size_t capacity_;                // blocks
    std::array<Reader, reader_count> readers_;  // each taken by one Held at a time
    std::atomic<bool> overfull_ = false;        // there are more frames than capacity_

    struct Waiting {
        std::mutex mutex;
        std::condition_variable settled;  // a block came or went
    };
    const pid_t process_;               // the one that made it; a child made by fork may only destroy it
    std::unique_ptr<Waiting> waiting_;  // its mutex guards what follows
    std::vector<Frame> frames_;         // the ring: every block that is in memory, comes or is damaged; guarded
    std::size_t hand_ = 0;              // in frames_; guarded
    std::size_t member_blocks_ = 0;     // of all members; guarded
    std::uint32_t members_ = 0;         // that ever were; guarded
    std::uint64_t reads_ = 0, evictions_ = 0, damaged_ = 0;  // guarded
    std::atomic<int> descriptors_ = most_descriptors;        // that are not taken
};

}  // namespace kith::inline v0::detail
