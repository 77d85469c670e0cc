// src/index/compiled_indexes.cpp — what kith/index/compiled_indexes.hpp promises.
#include "kith/index/compiled_indexes.hpp"

namespace kith::inline v0 {

template std::unique_ptr<VectorIndex> make_vector_index<Cosine, Hnsw<>>(std::size_t, Slot);
template std::unique_ptr<VectorIndex> map_vector_index<Cosine, Hnsw<>>(std::size_t, Slot, const ImageBytes&,
                                                                       const ImageBytes&);
template IndexSpace vector_index_space<Cosine, Hnsw<>>(std::size_t, Slot);
template std::unique_ptr<VectorIndex> make_vector_index<Cosine, Hnsw<HnswParams{}, Sq4>>(std::size_t, Slot);
template std::unique_ptr<VectorIndex> map_vector_index<Cosine, Hnsw<HnswParams{}, Sq4>>(std::size_t, Slot,
                                                                                        const ImageBytes&,
                                                                                        const ImageBytes&);
template IndexSpace vector_index_space<Cosine, Hnsw<HnswParams{}, Sq4>>(std::size_t, Slot);
template std::unique_ptr<VectorIndex> map_vector_index<Cosine, Flat>(std::size_t, Slot, const ImageBytes&,
                                                                     const ImageBytes&);

template std::unique_ptr<VectorIndex> make_vector_index<InnerProduct, Hnsw<>>(std::size_t, Slot);
template std::unique_ptr<VectorIndex> map_vector_index<InnerProduct, Hnsw<>>(std::size_t, Slot, const ImageBytes&,
                                                                             const ImageBytes&);
template IndexSpace vector_index_space<InnerProduct, Hnsw<>>(std::size_t, Slot);
template std::unique_ptr<VectorIndex> make_vector_index<InnerProduct, Hnsw<HnswParams{}, Sq4>>(std::size_t, Slot);
template std::unique_ptr<VectorIndex> map_vector_index<InnerProduct, Hnsw<HnswParams{}, Sq4>>(std::size_t, Slot,
                                                                                              const ImageBytes&,
                                                                                              const ImageBytes&);
template IndexSpace vector_index_space<InnerProduct, Hnsw<HnswParams{}, Sq4>>(std::size_t, Slot);
template std::unique_ptr<VectorIndex> map_vector_index<InnerProduct, Flat>(std::size_t, Slot, const ImageBytes&,
                                                                           const ImageBytes&);

template std::unique_ptr<VectorIndex> make_vector_index<L2, Hnsw<>>(std::size_t, Slot);
template std::unique_ptr<VectorIndex> map_vector_index<L2, Hnsw<>>(std::size_t, Slot, const ImageBytes&,
                                                                   const ImageBytes&);
template IndexSpace vector_index_space<L2, Hnsw<>>(std::size_t, Slot);
template std::unique_ptr<VectorIndex> make_vector_index<L2, Hnsw<HnswParams{}, Sq4>>(std::size_t, Slot);
template std::unique_ptr<VectorIndex> map_vector_index<L2, Hnsw<HnswParams{}, Sq4>>(std::size_t, Slot,
                                                                                    const ImageBytes&,
                                                                                    const ImageBytes&);
template IndexSpace vector_index_space<L2, Hnsw<HnswParams{}, Sq4>>(std::size_t, Slot);
template std::unique_ptr<VectorIndex> map_vector_index<L2, Flat>(std::size_t, Slot, const ImageBytes&,
                                                                 const ImageBytes&);

}  // namespace kith::inline v0
