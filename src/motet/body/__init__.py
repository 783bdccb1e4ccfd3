"""The body: its skeleton, feature vector, foot contact, limb inverse kinematics and the BVH
format.
"""
