// src/storage/block_cache.cpp — the ring, its hand, and what readers write down.
#include "kith/storage/block_cache.hpp"

#include "kith/core/assert.hpp"

#include <unistd.h>

#include <algorithm>

namespace kith::inline v0::detail {

namespace {

/// Where a thread begins to look for a reader, so that threads rarely meet.
std::size_t first_reader() noexcept {
    static std::atomic<std::size_t> next = 0;
    thread_local const std::size_t first = next.fetch_add(1, std::memory_order_relaxed);
    return first;
}

}  // namespace

BlockCache::Member::Member(BlockCache& cache, std::size_t blocks)
    : cache_(cache),
      number_([&] {
          const std::lock_guard lock(cache.waiting_->mutex);
          // Room for every frame there may ever be, so that nothing is allocated while blocks come and go: one a block,
          // and no more than are in memory, held or on their way.
          constexpr std::size_t most_coming = 4096;  // threads
          const std::size_t most = cache.capacity_ + reader_count * most_held + most_coming;
          cache.frames_.reserve(std::min(cache.member_blocks_ + blocks, most));
          cache.member_blocks_ += blocks;
          return cache.members_++;
      }()),
      states_(blocks) {}

void BlockCache::Member::leave() noexcept {
    if (cache_.process_ != ::getpid()) return;  // a thread of the parent, which is not here, may have the lock for good
    std::unique_lock lock(cache_.waiting_->mutex);
    cache_.waiting_->settled.wait(lock, [&] { return unsettled_ == 0; });
    std::erase_if(cache_.frames_, [&](const Frame& frame) { return frame.member == this; });
    cache_.hand_ = 0;
    cache_.member_blocks_ -= states_.size();
    cache_.overfull_.store(cache_.frames_.size() > cache_.capacity_, std::memory_order_relaxed);
}

BlockCache::BlockCache(std::uint64_t limit)
    : capacity_(static_cast<std::size_t>(std::max<std::uint64_t>(limit / block_bytes, 1))),
      process_(::getpid()),
      waiting_(std::make_unique<Waiting>()) {}

BlockCache::~BlockCache() {
    // In a child made by fork: to destroy what threads of the parent wait on would wait for them.
    if (process_ != ::getpid()) static_cast<void>(waiting_.release());
}

BlockCache::Stats BlockCache::stats() const {
    const std::lock_guard lock(waiting_->mutex);
    std::uint64_t in_memory = 0;
    for (const Frame& frame : frames_) in_memory += state_of(frame).load() != damaged ? 1U : 0U;
    return {std::uint64_t{capacity_} * block_bytes, in_memory * block_bytes, reads_, evictions_, damaged_};
}

BlockCache::Reader* BlockCache::take_reader() noexcept {
    const std::size_t first = first_reader();
    for (std::size_t i = 0; i < reader_count; ++i) {
        Reader& reader = readers_[(first + i) % reader_count];
        if (reader.taken.load(std::memory_order_relaxed)) continue;
        if (!reader.taken.exchange(true, std::memory_order_acquire)) return &reader;
    }
    return nullptr;
}

bool BlockCache::is_held(std::uint64_t key) const noexcept {
    for (const Reader& reader : readers_) {
        const std::uint32_t count = reader.count.load();
        for (std::uint32_t i = 0; i < count; ++i) {
            if (reader.keys[i].load(std::memory_order_relaxed) == key) return true;
        }
    }
    return false;
}

/// True when a block is in memory and stays there if it is held.
bool BlockCache::is_there(std::atomic<std::uint8_t>& state, Residency::Use use) noexcept {
    std::uint8_t now = state.load();
    if (now == recent || now == damaged) return true;
    if (now != resident) return false;
    return use == Residency::Use::in_order || state.compare_exchange_strong(now, recent) || now == recent;
}

void* BlockCache::hold(Member& member, std::span<const std::uint32_t> blocks, Residency::Use use) noexcept {
    KITH_ASSERT(blocks.size() <= most_held);
    Reader* const reader = take_reader();
    if (reader != nullptr) {
        for (std::size_t i = 0; i < blocks.size(); ++i) {
            reader->keys[i].store(key_of(member, blocks[i]), std::memory_order_relaxed);
        }
        // In the one order of all such operations this comes before the loads of the states below, as in sweep() the
        // change of a state comes before the loads of what is held.
        reader->count.store(static_cast<std::uint32_t>(blocks.size()));
    }
    std::array<std::uint32_t, most_held> missing;
    std::size_t count = 0;
    for (const std::uint32_t block : blocks) {
        if (!is_there(member.states_[block], use)) missing[count++] = block;
    }
    if (count > 1) {  // the disk answers several questions in the time of one
        for (std::size_t i = 0; i < count; ++i) {
            if (member.states_[missing[i]].load(std::memory_order_relaxed) == absent) member.ask_for(missing[i]);
        }
    }
    for (std::size_t i = 0; i < count; ++i) bring_in(member, missing[i]);
    return reader;
}

void BlockCache::release(void* held) noexcept {
    if (auto* const reader = static_cast<Reader*>(held)) {
        reader->count.store(0, std::memory_order_release);
        reader->taken.store(false, std::memory_order_release);
    }
    if (overfull_.load(std::memory_order_relaxed)) trim();
}

void BlockCache::bring_in(Member& member, std::uint32_t block) noexcept {
    std::atomic<std::uint8_t>& state = member.states_[block];
    std::unique_lock lock(waiting_->mutex);
    waiting_->settled.wait(lock, [&] { return state.load() != coming && state.load() != leaving; });
    if (state.load() != absent) return;
    state.store(coming);
    ++member.unsettled_;
    ++reads_;
    Victims victims;
    make_room({&member, block}, victims);
    lock.unlock();
    for (std::size_t i = 0; i < victims.count; ++i) victims.frames[i].member->drop(victims.frames[i].block);
    const bool right = member.read(block);
    lock.lock();
    settle(victims);
    state.store(right ? resident : damaged);
    damaged_ += right ? 0U : 1U;
    --member.unsettled_;
    waiting_->settled.notify_all();  // with the mutex held: a member whose last block settled may end once it is free
}

void BlockCache::trim() noexcept {
    std::unique_lock lock(waiting_->mutex);
    while (frames_.size() > capacity_) {
        Victims victims;
        const std::size_t at = sweep(victims);
        if (at == frames_.size()) return;  // all are held; who releases them comes here again
        remove_frame(at);
        lock.unlock();
        for (std::size_t i = 0; i < victims.count; ++i) victims.frames[i].member->drop(victims.frames[i].block);
        lock.lock();
        settle(victims);
        waiting_->settled.notify_all();
    }
}

/// Finds a frame that another block may have: its own is added to `victims`, unless it needs no memory.
/// Returns the number of frames when all are held, or come and go.
std::size_t BlockCache::sweep(Victims& victims) noexcept {
    const std::size_t size = frames_.size();
    for (std::size_t step = 0; step < 2 * size; ++step) {
        const std::size_t at = hand_;
        hand_ = at + 1 < size ? at + 1 : 0;
        const Frame frame = frames_[at];
        std::atomic<std::uint8_t>& state = state_of(frame);
        std::uint8_t now = state.load();
        if (now == damaged) return at;
        if (now == recent) {
            state.store(resident);  // nobody but the hand makes anything else of a recent block
            continue;
        }
        if (now != resident || !state.compare_exchange_strong(now, leaving)) continue;
        if (is_held(key_of(*frame.member, frame.block))) {
            state.store(recent);
            continue;
        }
        ++frame.member->unsettled_;
        ++evictions_;
        victims.frames[victims.count++] = frame;
        return at;
    }
    return size;
}

/// Puts `wanted` into the ring, for others if it is full. Where all are held the ring grows past its limit; it shrinks
/// again with the next blocks that come, or when they are released.
void BlockCache::make_room(Frame wanted, Victims& victims) noexcept {
    const std::size_t at = frames_.size() < capacity_ ? frames_.size() : sweep(victims);
    if (at == frames_.size()) {
        frames_.push_back(wanted);
    } else {
        frames_[at] = wanted;
    }
    if (frames_.size() <= capacity_) return;
    const std::size_t another = sweep(victims);
    if (another < frames_.size()) {
        remove_frame(another);
    } else {
        overfull_.store(true, std::memory_order_relaxed);
    }
}

void BlockCache::remove_frame(std::size_t at) noexcept {
    frames_[at] = frames_.back();
    frames_.pop_back();
    if (hand_ >= frames_.size()) hand_ = 0;
    if (frames_.size() <= capacity_) overfull_.store(false, std::memory_order_relaxed);
}

void BlockCache::settle(const Victims& victims) noexcept {
    for (std::size_t i = 0; i < victims.count; ++i) {
        state_of(victims.frames[i]).store(absent);
        --victims.frames[i].member->unsettled_;
    }
}

bool BlockCache::take_descriptor() noexcept {
    if (descriptors_.fetch_sub(1) > 0) return true;
    give_descriptor();
    return false;
}

}  // namespace kith::inline v0::detail
