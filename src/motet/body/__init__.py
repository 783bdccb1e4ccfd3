"""The body: skeleton, feature vector, foot contact, limb inverse kinematics, BVH."""
